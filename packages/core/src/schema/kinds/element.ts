/** What a set or a list holds: values of another field. */
import type { Value } from '../../op/value.ts'
import type { FieldDefinition } from '../field.ts'
import { type Kind, Refusal, type Shown } from './kind.ts'
import { scalarKinds } from './scalar-kinds.ts'

export const elementDefinition = (definition: FieldDefinition): FieldDefinition => {
  if (definition.kind !== 'set' && definition.kind !== 'list') throw new Error(`${definition.kind} has no elements`)
  return definition.element
}

export const elementKind = (definition: FieldDefinition): Kind => {
  const { kind } = elementDefinition(definition)
  if (kind === 'set' || kind === 'list') throw new Error(`a ${definition.kind} of ${kind}s`)
  return scalarKinds[kind]
}

/** Throws `Refusal`. */
export const encodeElement = (element: unknown, definition: FieldDefinition): Value => {
  if (element === undefined || element === null) throw new Refusal(`${String(element)} inside of it`)
  return elementKind(definition).encode(element, elementDefinition(definition))
}

/** The elements that fit. */
export const elementsOf = (value: Shown, definition: FieldDefinition): Value[] =>
  (value as readonly Value[]).filter((element) => elementKind(definition).fits(element, elementDefinition(definition)))

export const decodeElement = (element: Value, definition: FieldDefinition): unknown =>
  elementKind(definition).decode(element, elementDefinition(definition))
