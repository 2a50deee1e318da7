import { InvalidOptionError } from '../errors.ts'

/** A path of Vault's HTTP API below /v1/, each segment encoded, so that no name can change what is asked. */
export function apiPath(...parts: readonly string[]): string {
  return parts
    .flatMap((part) => part.split('/'))
    .map(encodeURIComponent)
    .join('/')
}

/** Role names of the database engine: letters, digits, `_`, `-` and `.` (Vault's own rule for names in paths). */
export function checkRoleName(role: string): void {
  checkSegment('role', role, role)
}

/** A mount may stand at a path of several segments. */
export function checkMountPath(mount: string): void {
  for (const segment of mount.split('/')) checkSegment('mount', mount, segment)
}

function checkSegment(what: string, name: string, segment: string): void {
  const shown = JSON.stringify(name)
  if (segment === '' || segment === '.' || segment === '..') {
    throw new InvalidOptionError(
      `The ${what} ${shown} has an empty, "." or ".." part. Give the plain name, without slashes at its ends.`,
    )
  }
  const wrong = /[^\w.-]/u.exec(segment)
  if (wrong) {
    throw new InvalidOptionError(
      `The ${what} ${shown} holds ${JSON.stringify(wrong[0])}. A ${what} name has letters, digits, "_", "-" and "." only.`,
    )
  }
}
