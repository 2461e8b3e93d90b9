/** Drawn on a 20 × 20 grid with a round 1.6 stroke; they say nothing by themselves, so the control around them has the name. */
const paths = {
  all: 'M4 5.5h12M4 10h12M4 14.5h12',
  calendar:
    'M4 6.5A1.5 1.5 0 0 1 5.5 5h9A1.5 1.5 0 0 1 16 6.5v8a1.5 1.5 0 0 1-1.5 1.5h-9A1.5 1.5 0 0 1 4 14.5zM4 8.5h12M7 3.2V6M13 3.2V6',
  inbox:
    'M3.5 11 5.6 5.2A1.5 1.5 0 0 1 7 4.2h6a1.5 1.5 0 0 1 1.4 1L16.5 11v3.500a1.3 1.3 0 0 1-1.3 1.300H4.800a1.3 1.3 0 0 1-1.3-1.300zM3.5 11h4l1 2h3l1-2h4',
  plus: 'M10 4.500v11M4.5 10h11',
  close: 'M5.5 5.500l9 9M14.5 5.500l-9 9',
  trash: 'M4 6h12M8 6V4.300h4V6M5.5 6l.7 9.200a1 1 0 0 0 1 .9h5.600a1 1 0 0 0 1-.9L14.5 6M8.5 9v4M11.5 9v4',
  pencil: 'M4.5 15.500l.6-3 8-8a1.4 1.4 0 0 1 2 0l.4.4a1.4 1.4 0 0 1 0 2l-8 8z',
  search: 'M9 14.200A5.2 5.2 0 1 0 9 3.800a5.2 5.2 0 0 0 0 10.400zM12.8 12.800l3.7 3.7',
  menu: 'M3.5 6h13M3.5 10h13M3.5 14h13',
  back: 'M12 4.5 6.5 10l5.5 5.5',
  notes: 'M5 5.500h10M5 9h10M5 12.500h6',
  branch: 'M6 4v5.500a3 3 0 0 0 3 3h5.500M6 9.500a3 3 0 0 0 3-3M12 9.800l2.7 2.7-2.7 2.700M6 16v-4',
  undo: 'M7.5 4.500 4 8l3.500 3.500M4.300 8H12a4 4 0 0 1 0 8H9',
  redo: 'M12.500 4.500 16 8l-3.500 3.500M15.700 8H8a4 4 0 0 0 0 8h3',
  up: 'M5.500 11.500 10 7l4.500 4.500',
  lock: 'M5.500 9.200h9a1 1 0 0 1 1 1v5a1 1 0 0 1-1 1h-9a1 1 0 0 1-1-1v-5a1 1 0 0 1 1-1zM7 9V6.800a3 3 0 0 1 6 0V9',
  unlocked:
    'M5.500 9.200h9a1 1 0 0 1 1 1v5a1 1 0 0 1-1 1h-9a1 1 0 0 1-1-1v-5a1 1 0 0 1 1-1zM7 9V6.300a3 3 0 0 1 5.800-1.100',
  devices:
    'M11 14.500H3M4 12V6a1 1 0 0 1 1-1h9.500M12.500 8h3.500a.8.8 0 0 1 .8.800v6a.8.8 0 0 1-.8.800h-3.500a.8.8 0 0 1-.8-.8v-6a.8.8 0 0 1 .8-.8z',
  download: 'M10 3.800v8.400M6.500 8.900 10 12.400l3.500-3.500M4 14.200v1a1 1 0 0 0 1 1h10a1 1 0 0 0 1-1v-1',
  check: 'M5 10.500l3.3 3.300L15 6.8',
} as const

export type IconName = keyof typeof paths

export const Icon = ({ name }: { readonly name: IconName }) => (
  <svg className="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
    <path d={paths[name]} />
  </svg>
)
