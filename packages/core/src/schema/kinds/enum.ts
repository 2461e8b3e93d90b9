import type { FieldDefinition } from '../field.ts'
import { type Kind, Refusal } from './kind.ts'
import { string } from './string.ts'

const optionsOf = (definition: FieldDefinition): readonly string[] =>
  definition.kind === 'enum' ? definition.options : []

export const enumeration: Kind = {
  ...string,
  encode: (value, definition) => {
    const text = string.encode(value, definition) as string
    const options = optionsOf(definition)
    if (!options.includes(text)) throw new Refusal(`"${text}" is not one of ${options.join(', ')}`)
    return text
  },
  fits: (value, definition) => typeof value === 'string' && optionsOf(definition).includes(value),
}
