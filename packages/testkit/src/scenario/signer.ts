/** Simulations sign with something cheap; several may run at once, and the last one to end puts the real thing back. */
import { useSubstituteSigner } from '@driftlog/core/signer'
import { cheapSigner } from '../simulator/cheap-signer.ts'

let holders = 0
let restore: () => void = () => undefined

/** Until the returned function is called. */
export const holdCheapSigner = (): (() => void) => {
  if (holders++ === 0) restore = useSubstituteSigner(cheapSigner)
  return () => {
    if (--holders === 0) restore()
  }
}
