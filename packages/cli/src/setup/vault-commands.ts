import { valuesToSend } from './apply.ts'
import { type FieldValue, fieldText, type Values } from './fields.ts'
import type { SecretPlace } from './secret.ts'
import type { Wanted } from './wanted.ts'

/** What somebody would type to have the same: for a shell that knows `vault`, or `bao` by that name. */
export function commandFor(wanted: Wanted): string {
  const { kind, path, values } = wanted
  const name = path.split('/').slice(2).join('/')
  switch (kind) {
    case 'mount':
      return `vault secrets enable -path=${name} database`
    case 'auth method':
      return `vault auth enable -path=${name} ${values['type']}`
    case 'audit device':
      return `vault audit enable -path=${name} ${values['type']} ${pairs(wanted, optionsOf(values))}`.trim()
    case 'policy':
      return hereDocument(`vault policy write ${path.split('/').at(-1)} -`, String(values['policy']))
    case 'root password':
      return [
        `vault write -force ${path.replace('/config/', '/rotate-root/')}`,
        `vault write ${path} root_rotated_at="$(date -u +%Y-%m-%dT%H:%M:%SZ)"`,
      ].join('\n')
    default:
      return write(wanted)
  }
}

function write(wanted: Wanted): string {
  const { path, secret } = wanted
  const values = valuesToSend(wanted)
  const isNested = Object.values(values).some((value) => typeof value === 'object' && !Array.isArray(value))
  if (isNested) return hereDocument(`vault write ${path} -`, JSON.stringify(values, undefined, 2))
  if (!secret) return `vault write ${path} ${pairs(wanted, values)}`
  return `printf %s ${inShell(secret.place)} | vault write ${path} ${secret.field}=- ${pairs(wanted, values)}`
}

/** The shell puts it into a pipe: the arguments of a program can be read by everybody. */
function inShell(place: SecretPlace): string {
  return 'env' in place ? `"$${place.env}"` : `"$(cat ${quoted(place.file)})"`
}

function pairs({ fields }: Wanted, values: Values): string {
  const all = Object.entries(values).flatMap(([name, value]) => {
    const field = fields[name] ?? { kind: 'text' as const }
    return textsOf(value).map((text) => `${name}=${quoted(fieldText(field, text))}`)
  })
  return all.map((pair) => `\\\n    ${pair}`).join(' ')
}

/** The same name again is one more item of a list. */
function textsOf(value: FieldValue): readonly FieldValue[] {
  return Array.isArray(value) ? value : [value]
}

function optionsOf({ options }: Values): Values {
  const entries = typeof options === 'object' ? Object.entries(options) : []
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]))
}

function hereDocument(command: string, text: string): string {
  return `${command} <<'EOF'\n${text.trimEnd()}\nEOF`
}

function quoted(text: string): string {
  return /^[\w./:=-]+$/.test(text) ? text : `'${text.replaceAll(`'`, `'\\''`)}'`
}
