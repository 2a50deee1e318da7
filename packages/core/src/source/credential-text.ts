/** A user name and password in a text. */
export interface LoginText {
  readonly username: string
  readonly password: string
}

const userNames = /^(.*_)?(user|username)$|^pguser$/i
const passwordNames = /^(.*_)?(password|pass|pwd)$|^pgpassword$/i

/** `export NAME="value"`, as the annotations of the Vault Agent Injector suggest it, and the lines of a .env file. */
const assignedName = /^(?:export\s+)?([A-Za-z_]\w*)\s*=/
const assignedValue = /^(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"']\S*))/

/**
 * Finds the user name and the password in what Vault Agent, the Injector or the CSI provider rendered: JSON, with or without
 * the answer of Vault around it, or assignments of a shell. Returns what is wrong when they are not there, without a value.
 */
export function loginIn(rendered: string): LoginText | { readonly wrong: string } {
  const text = rendered.replace(/^\uFEFF/, '')
  const values = text.trimStart().startsWith('{') ? valuesInJson(text) : valuesInLines(text)
  if (typeof values === 'string') return { wrong: values }
  const username = onlyOne(values, userNames, 'a user name')
  const password = onlyOne(values, passwordNames, 'a password')
  if ('wrong' in username) return username
  if ('wrong' in password) return password
  return { username: username.value, password: password.value }
}

function valuesInJson(text: string): ReadonlyMap<string, string> | string {
  try {
    const parsed: unknown = JSON.parse(text)
    const outer = new Map(Object.entries(parsed ?? {}))
    const inner = outer.get('data')
    const entries: [string, unknown][] =
      typeof inner === 'object' && inner ? Object.entries(inner) : [...outer]
    return new Map(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
  } catch {
    return 'it begins like JSON and is none'
  }
}

function valuesInLines(text: string): ReadonlyMap<string, string> | string {
  const values = new Map<string, string>()
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const text = line.trim()
    if (text === '' || text.startsWith('#')) continue
    const assigned = assignmentIn(text)
    if (!assigned) return `line ${index + 1} is not NAME=value`
    values.set(assigned.name, assigned.value)
  }
  return values
}

/** Takes one part of the line after the other: one pattern for all of it would try each space in several ways. */
function assignmentIn(line: string): { readonly name: string; readonly value: string } | undefined {
  const [begin = '', name] = assignedName.exec(line) ?? []
  if (name === undefined) return undefined
  const given = line.slice(begin.length).trimStart()
  const [taken = '', double, single, bare = ''] = assignedValue.exec(given) ?? []
  const rest = given.slice(taken.length).trimStart()
  if (rest !== '' && rest !== ';' && !rest.startsWith('#')) return undefined
  return { name, value: double?.replaceAll(/\\(["\\$`])/g, '$1') ?? single ?? bare }
}

function onlyOne(
  values: ReadonlyMap<string, string>,
  names: RegExp,
  what: string,
): { readonly value: string } | { readonly wrong: string } {
  const found = [...values].filter(([name, value]) => names.test(name) && value !== '')
  const [first, second] = found
  if (!first) return { wrong: `it has nothing that is called like ${what}` }
  if (second) return { wrong: `it has more than one that is called like ${what}: ${first[0]}, ${second[0]}` }
  return { value: first[1] }
}
