/**
 * Text that a person is changing, over a value that other devices may change meanwhile.
 *
 *     value ── typed ──▶ { base, text } ── committed ──▶ { base, text, sent } ── value = sent ──▶ no draft
 *
 * Invariant: a draft is what is shown, so neither a late answer nor another device overwrites what was typed. What came in
 * under it is overwritten by nothing either: who writes the draft says which value the form was opened on.
 */
export interface Draft {
  /** The value that the draft started from. */
  readonly base: string
  readonly text: string
  /** What was written last and has not come back as the value yet. */
  readonly sent: string | undefined
}

export const type = (draft: Draft | undefined, value: string, text: string): Draft => ({
  base: draft?.base ?? value,
  text,
  sent: draft?.sent,
})

/** What is left of the draft now that the value is `value`. Returns the same object where nothing changed. */
export const follow = (draft: Draft | undefined, value: string): Draft | undefined => {
  if (draft === undefined || (draft.sent === undefined && draft.base === value)) return draft
  if (value === draft.text) return undefined
  if (draft.sent === undefined) return draft // the value moved under the draft
  if (value === draft.base) return draft // the write has not come back yet
  // It has come back, or what another device wrote meanwhile is shown instead of it.
  return draft.text === draft.sent ? undefined : { base: value, text: draft.text, sent: undefined }
}

export const isUnsent = (draft: Draft | undefined): draft is Draft =>
  draft !== undefined && draft.text !== (draft.sent ?? draft.base)
