import { DriftlogError, type ErrorCode } from '@driftlog/core'

/** Does again what is refused with this code, for two seconds. */
export const retried = async <T>(code: ErrorCode, act: () => T | Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof DriftlogError) || error.code !== code || attempt === 200) throw error
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}
