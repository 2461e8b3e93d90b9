/** The dot of a projected op as one safe integer: device index * 2^32 + seq. 0 is no op. */
export type DotRef = number

const SEQ_SPAN = 2 ** 32

export const dotRef = (device: number, seq: number): DotRef => device * SEQ_SPAN + seq
export const deviceOfRef = (ref: DotRef): number => Math.floor(ref / SEQ_SPAN)
// Not `%`: of numbers beyond 2^32 that is a call out of compiled code. Both steps are exact.
export const seqOfRef = (ref: DotRef): number => ref - Math.floor(ref / SEQ_SPAN) * SEQ_SPAN
