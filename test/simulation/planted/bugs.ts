import { clientBugs } from './bugs-client.ts'
import { coreBugs } from './bugs-core.ts'
import { lawBugs } from './bugs-laws.ts'
import { memberBugs } from './bugs-members.ts'
import { protocolBugs } from './bugs-protocol.ts'
import type { PlantedBug } from './bug.ts'

export const plantedBugs: readonly PlantedBug[] = [
  ...coreBugs,
  ...clientBugs,
  ...lawBugs,
  ...protocolBugs,
  ...memberBugs,
]
