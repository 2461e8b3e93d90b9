import { go, type Show, shows } from '../app/route.ts'

const words = { open: 'Open', done: 'Done', all: 'All' } as const satisfies Record<Show, string>

export const FilterTabs = ({ show }: { readonly show: Show }) => (
  <fieldset className="filter">
    <legend className="visually-hidden">Show</legend>
    {shows.map((each) => (
      <label key={each}>
        <input type="radio" name="show" checked={each === show} onChange={() => go({ show: each })} />
        <span>{words[each]}</span>
      </label>
    ))}
  </fieldset>
)
