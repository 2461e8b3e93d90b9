import { useState } from 'react'
import { go } from '../app/route.ts'
import { useMutations } from '../data/mutations-context.tsx'
import type { List } from '../data/schema.ts'
import { useMayWrite } from '../members/use-members.ts'
import { ConcurrentValues } from '../tasks/concurrent-values.tsx'
import { Icon } from '../ui/icons.tsx'
import { InlineText } from '../ui/inline-text.tsx'
import { useNotify } from '../ui/notices.tsx'

/** The name of the open list, and what can be done with the list itself. */
export const ListHeader = ({ list }: { readonly list: List }) => {
  const { renameList, deleteList, restoreList } = useMutations()
  const mayWrite = useMayWrite()
  const notify = useNotify()
  const [renaming, setRenaming] = useState(false)

  const remove = () => {
    const deleted = deleteList(list.id)
    if (deleted === undefined) return
    go({ place: { kind: 'inbox' }, task: undefined })
    notify({
      text: `“${deleted.name}” is deleted. Its tasks are in the inbox.`,
      action: {
        label: 'Undo',
        run: () => {
          restoreList(deleted.id)
          go({ place: { kind: 'list', id: deleted.id } })
        },
      },
    })
  }

  return (
    <>
      <div className="pane-title">
        {renaming ? (
          <InlineText
            className="heading-input"
            label="List name"
            value={list.name}
            onCommit={(name) => renameList(list.id, name)}
            onDone={() => setRenaming(false)}
          />
        ) : (
          <h1 onDoubleClick={() => setRenaming(mayWrite)}>{list.name}</h1>
        )}
        {mayWrite && (
          <div className="pane-tools">
            <button type="button" className="icon-button" aria-label="Rename list" onClick={() => setRenaming(true)}>
              <Icon name="pencil" />
            </button>
            <button type="button" className="icon-button" aria-label="Delete list" onClick={remove}>
              <Icon name="trash" />
            </button>
          </div>
        )}
      </div>
      <ConcurrentValues
        table="lists"
        id={list.id}
        field="name"
        label="Name"
        inWords={String}
        onKeep={(name) => renameList(list.id, String(name))}
      />
    </>
  )
}
