/** The secret that tokens are signed with: given, or made once and kept in a file beside the database. */
import { randomBytes } from 'node:crypto'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { CliError, systemCode } from '../errors.ts'

const SECRET_BYTES = 32
/** What HS256 asks for. */
const MIN_SECRET_LENGTH = 32

export const secretFileOf = (database: string): string => `${database}.secret`

/** Throws USAGE where it is too short to be safe. */
export const checkSecret = (secret: string): string => {
  if (secret.length < MIN_SECRET_LENGTH) {
    throw new CliError('USAGE', `the secret has ${secret.length} characters; tokens need at least ${MIN_SECRET_LENGTH}`)
  }
  return secret
}

/** The secret in `file`, made there (readable by this user alone) where there is none. Throws DATA_UNUSABLE. */
export const keptSecret = async (file: string): Promise<string> => {
  try {
    const fresh = randomBytes(SECRET_BYTES).toString('base64url')
    // Exclusive: of two servers that start at once one makes it, the other reads it.
    await writeFile(file, `${fresh}\n`, { mode: 0o600, flag: 'wx' })
    return fresh
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw unusable(file, error)
  }
  try {
    // It may have been copied with wider rights than it was made with.
    await chmod(file, 0o600)
    const secret = (await readFile(file, 'utf8')).trim()
    if (secret.length >= MIN_SECRET_LENGTH) return secret
  } catch (error) {
    throw unusable(file, error)
  }
  throw new CliError(
    'DATA_UNUSABLE',
    `${file} holds no secret of ${MIN_SECRET_LENGTH} characters; delete it to have a new one made (tokens made with it end)`,
  )
}

const unusable = (file: string, cause: unknown): CliError =>
  new CliError('DATA_UNUSABLE', `${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
