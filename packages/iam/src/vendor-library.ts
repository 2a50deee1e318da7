import { CredentialSourceError } from '@vault-lease/core'

/**
 * A library of the vendor, loaded when the first token is asked for.
 *
 * @throws CredentialSourceError when it cannot be loaded.
 */
export async function vendorLibrary<Library>(name: string, load: () => Promise<Library>): Promise<Library> {
  try {
    return await load()
  } catch (cause) {
    throw new CredentialSourceError(
      `The token comes from ${name}, which cannot be loaded: npm install ${name}`,
      {
        cause,
        retryable: false,
      },
    )
  }
}
