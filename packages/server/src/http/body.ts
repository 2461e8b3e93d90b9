import { DriftlogError } from '@driftlog/core'

/** The whole body, or TOO_LARGE as soon as it is clear that it is longer than `limit`: by its header, or while it comes. */
export const readBody = async (request: Request, limit: number): Promise<Uint8Array> => {
  const tooLarge = (bytes: number): DriftlogError => new DriftlogError('TOO_LARGE', 'body', { bytes, limit })
  const declared = Number(request.headers.get('content-length') ?? 0)
  if (declared > limit) throw tooLarge(declared)
  if (request.body === null) return new Uint8Array(0)
  const parts: Uint8Array[] = []
  let length = 0
  const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    length += value.length
    if (length > limit) {
      await reader.cancel()
      throw tooLarge(length)
    }
    parts.push(value)
  }
  const body = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    body.set(part, at)
    at += part.length
  }
  return body
}
