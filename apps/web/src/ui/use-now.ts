import { useEffect, useState } from 'react'
import { type Day, localDay } from '../data/days.ts'

/** The present moment, renewed every half minute and when the window comes back to the front. */
export const useNow = (): Date => {
  const [now, setNow] = useState(() => new Date())
  useEffect(() => {
    const renew = () => setNow(new Date())
    const handle = setInterval(renew, 30_000)
    document.addEventListener('visibilitychange', renew)
    return () => {
      clearInterval(handle)
      document.removeEventListener('visibilitychange', renew)
    }
  }, [])
  return now
}

export const useToday = (): Day => localDay(useNow())
