const hints = [
  ['n', 'New task'],
  ['/', 'Search'],
  ['↑ ↓', 'From task to task'],
  ['Enter', 'Open'],
  ['x', 'Tick'],
  ['e', 'Edit the title'],
  ['Del', 'Delete'],
  ['Ctrl Z', 'Undo'],
  ['Esc', 'Close'],
] as const

/** What the detail pane says while no task is open. */
export const KeyHints = () => (
  <div className="key-hints">
    <h2>No task is open</h2>
    <p>Choose one to see its notes and dates.</p>
    <dl>
      {hints.map(([key, meaning]) => (
        <div key={key}>
          <dt>
            <kbd>{key}</kbd>
          </dt>
          <dd>{meaning}</dd>
        </div>
      ))}
    </dl>
  </div>
)
