import { DriftlogError } from '@driftlog/core'

/** What the browser says, as the codes of the port. What is no DOMException is a bug and stays what it is. */
export const storageError = (error: unknown, name: string): unknown => {
  if (!(error instanceof Error) || error instanceof DriftlogError) return error
  const details = { name, domName: error.name }
  switch (error.name) {
    // By its name: in newer browsers it is a class of its own and no DOMException.
    case 'QuotaExceededError':
      return new DriftlogError('STORAGE_FULL', name, details, { cause: error })
    case 'VersionError':
      return new DriftlogError('FORMAT_UNKNOWN', `${name}: reload to get the newer app`, details, { cause: error })
    default:
      if (!(error instanceof DOMException)) return error
      return new DriftlogError('STORAGE_FAILED', `${error.name} in ${name}`, details, { cause: error })
  }
}
