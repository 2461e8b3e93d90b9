/** A log of members with every deed, what follows from it, passes and codes: from fixed seeds. Appended to, never changed (see make-vectors). */
import { entryHash, makePass, type MemberSecrets, openEpochKeys, publicKeysOf } from '@driftlog/core'
import { installationCode, type InstallationKey } from '@driftlog/client'
import { writeInstallationKey } from '../../packages/client/src/keys/installation-key.ts'
import { writeInvitation } from '../../packages/client/src/members/invitation-code.ts'
import { writeSpaceCode } from '../../packages/client/src/members/space-code.ts'
import {
  type Act,
  createMembers,
  EXPIRES_MS,
  installationOf,
  invitationOf,
  secretOf,
} from '../../packages/core/src/testing/members.test-support.ts'
import { hexOf, SPACE } from '../../packages/core/src/testing/replicas.test-support.ts'

/** Every deed, by numbers of installations. */
const history: readonly (readonly [number, Act])[] = [
  [1, { kind: 'found' }],
  [1, { kind: 'invite', invitation: 1, role: 'writer' }],
  [2, { kind: 'join', invitation: 1 }],
  [2, { kind: 'invite', invitation: 2, role: 'reader', member: 2 }],
  [3, { kind: 'join', invitation: 2 }],
  [1, { kind: 'admit', installation: 4, role: 'admin' }],
  [4, { kind: 'admit', installation: 5, role: 'admin', member: 1 }],
  [4, { kind: 'invite', invitation: 3, role: 'reader' }],
  [4, { kind: 'invite', invitation: 4, role: 'admin' }],
  [1, { kind: 'withdraw', invitation: 3 }],
  [5, { kind: 'rotate' }],
  [2, { kind: 'retire', installation: 3 }],
  [1, { kind: 'return', installation: 3 }],
  [2, { kind: 'revoke', installation: 3 }],
  [1, { kind: 'role', member: 4, role: 'writer' }],
  [4, { kind: 'remove', member: 4 }],
  [1, { kind: 'invite', invitation: 5, role: 'reader' }],
  [1, { kind: 'rotate' }],
  [1, { kind: 'remove', member: 2 }],
]

const keysInHex = (secrets: MemberSecrets) => {
  const { key, sealingKey } = publicKeysOf(secrets)
  return { key: hexOf(key), sealingKey: hexOf(sealingKey) }
}

export const makeMembers = () => {
  const { membership, next } = createMembers()
  const entries = history.map(([by, act]) => {
    const bytes = next(by, act)
    membership.append(bytes)
    return { deed: act.kind, by, hash: hexOf(entryHash(bytes)), hex: hexOf(bytes) }
  })
  const numbers = [1, 2, 3, 4, 5]
  const opened = (secrets: MemberSecrets): string[] =>
    [...openEpochKeys(membership, secrets).keys.values()].map((key) => hexOf(key))
  return {
    space: SPACE,
    installations: numbers.map((number) => {
      const secret = writeInstallationKey(secretOf(number)) as InstallationKey
      const secrets = installationOf(number)
      const { key, sealingKey } = keysInHex(secrets)
      return {
        secret: hexOf(secretOf(number)),
        installationKey: secret,
        key,
        sealingKey,
        installationCode: installationCode(secret),
        epochKeys: opened(secrets),
      }
    }),
    invitations: numbers.map((number) => ({
      secret: hexOf(secretOf(number)),
      ...keysInHex(invitationOf(number)),
      invitationCode: writeInvitation({ genesis: membership.hashAt(1), secret: secretOf(number) }),
      epochKeys: opened(invitationOf(number)),
    })),
    spaceCode: writeSpaceCode(membership.hashAt(1)),
    entries,
    members: membership.members().map(({ id, role }) => ({ id, ...(role && { role }) })),
    passes: [
      {
        expiresMs: EXPIRES_MS,
        key: hexOf(installationOf(1).signing.publicKey),
        hex: hexOf(makePass(SPACE, installationOf(1).signing, EXPIRES_MS)),
      },
    ],
  }
}
