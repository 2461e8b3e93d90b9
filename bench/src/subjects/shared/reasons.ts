/** Why peers have no cell, where the reason is one for several. */
export const SERVER_ALONE = 'A target of Driftlog alone; what the servers of peers do is in W6-ingest.'
