/** Whether something has all these values already: then a change of it is none, to write down or to record. */
export function hasAll<Thing extends object>(thing: Thing, values: Partial<Thing>): boolean {
  return (Object.keys(values) as (keyof Thing)[]).every((name) => thing[name] === values[name]);
}
