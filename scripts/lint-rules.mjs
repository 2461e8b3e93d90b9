// Two lint rules that oxlint has no option for. (`no-restricted-properties` sees `Date.now` but not `new Date()`.)

const ambientDate = {
  create(context) {
    const report = (node) => {
      if (node.callee.type !== 'Identifier' || node.callee.name !== 'Date') return
      if (node.type === 'CallExpression' || node.arguments.length === 0) {
        context.report({ node, message: 'This reads the real clock. Take the time from `ports.clock` instead.' })
      }
    }
    return { NewExpression: report, CallExpression: report }
  },
}

const exportAll = {
  create(context) {
    return {
      ExportAllDeclaration(node) {
        context.report({ node, message: 'List the names: an entry is a catalogue of what is public, not `export *`.' })
      },
    }
  },
}

export default {
  meta: { name: 'driftlog' },
  rules: { 'no-ambient-date': ambientDate, 'no-export-all': exportAll },
}
