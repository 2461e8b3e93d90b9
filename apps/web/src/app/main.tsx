import { createRoot } from 'react-dom/client'
import '../ui/tokens.css'
import '../ui/base.css'
import '../ui/controls.css'
import './shell.css'
import '../lists/lists.css'
import '../tasks/tasks.css'
import '../tasks/detail.css'
import '../conflicts/conflicts.css'
import '../status/status.css'
import '../keys/keys.css'
import '../backup/backup.css'
import '../members/members.css'
import { takeSecret } from '../keys/link.ts'
import './service-worker-updates.ts'
import { starter } from './start.tsx'

const container = document.getElementById('root')
if (container === null) throw new Error('index.html has no #root')

// First of all: the address may hold a key, and it must not stay there.
const link = takeSecret(location, history)
const start = starter(createRoot(container))
void start(link)

// A link that is pasted over the address of the open app loads nothing anew.
addEventListener('hashchange', () => {
  const pasted = takeSecret(location, history)
  if (pasted !== undefined) void start(pasted)
})
