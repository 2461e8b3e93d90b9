/** In spaces with members. */
import type { PlantedBug } from './bug.ts'

const options = { members: true }

export const memberBugs: readonly PlantedBug[] = [
  {
    name: 'entries-beyond-a-gap-taken',
    rule: 'MEM9',
    file: 'packages/client/src/members/members-sync.ts',
    find: 'if (after > membership.length) {',
    replace: 'if (after > membership.length + 1_000_000) {',
    options,
  },
  {
    name: 'another-role-not-greeted',
    rule: 'MEM9',
    file: 'packages/client/src/members/members-sync.ts',
    find: 'if (this.#greetedAs !== this.#options.local.role) {',
    replace: 'if (this.#greetedAs === null) {',
    options,
  },
  {
    name: 'what-waits-for-members-not-let-in',
    rule: 'MEM5',
    file: 'packages/client/src/storage/keeper.ts',
    find: 'log.membersGrew()',
    replace: '',
    options,
  },
  {
    name: 'position-behind-what-was-seen',
    rule: 'MEM6',
    file: 'packages/core/src/log/writer.ts',
    find: 'const membership = this.#log.members?.length ?? 0',
    replace: 'const membership = Math.max(1, (this.#log.members?.length ?? 0) - 1)',
    options,
  },
]
