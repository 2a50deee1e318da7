export { type Closable, closeOnSignal } from './close-on-signal.ts'
export {
  ConnectionRetiredError,
  CredentialNotProvenError,
  CredentialSourceError,
  CredentialsUnavailableError,
  InvalidOptionError,
  LeaseClosedError,
  VaultLeaseError,
} from './errors.ts'
export { healthHandler, healthIndicator, healthPlugin } from './health/endpoints.ts'
export { type Health, healthOf } from './health/health.ts'
export type { HealthReason } from './health/reasons.ts'
export type { GenerationConnections, PoolLoad, PoolUsage } from './lease/consumer.ts'
export { createLease } from './lease/create-lease.ts'
export type { Credential } from './lease/credential.ts'
export type { LeaseEvents, LeaseStep, RotationOutcome, RotationStep, StepTime } from './lease/events.ts'
export type { LeaseOptions, RotationOptions } from './lease/lease-options.ts'
export { LeaseManager } from './lease/manager.ts'
export { statusOfOpenLeases } from './lease/open-leases.ts'
export type { RotationReason } from './lease/schedule.ts'
export type { LeaseState, LeaseStatus, PlaceState, PlaceStatus, TokenStatus } from './lease/status.ts'
export type { WaitOptions } from './lease/wait.ts'
export type { RateLimitOptions } from './resilience/rate-limit.ts'
export type { CredentialFunction, GivenCredential } from './source/credential-function.ts'
export type { AdapterOptions } from './take-lease.ts'
export type { VaultAnswer, VaultAuth } from './vault/answer.ts'
export { type AppRoleOptions, appRole } from './vault/auth/approle.ts'
export type { AuthFunction, AuthMethod, Login, LoginContext } from './vault/auth/auth.ts'
export { type CertOptions, cert } from './vault/auth/cert.ts'
export { type JwtOptions, jwt } from './vault/auth/jwt.ts'
export { type KubernetesOptions, kubernetes } from './vault/auth/kubernetes.ts'
export { none } from './vault/auth/none.ts'
export { token } from './vault/auth/token.ts'
export { tokenFile } from './vault/auth/token-file.ts'
export { type UserpassOptions, userpass } from './vault/auth/userpass.ts'
export type { CircuitBreakerOptions, CircuitState } from './vault/circuit-breaker.ts'
export type { VaultRequest } from './vault/client.ts'
export { createVault } from './vault/create-vault.ts'
export { VaultError, type VaultErrorCode } from './vault/errors.ts'
export type { VaultOperation, VaultRequestEvent } from './vault/request-event.ts'
export type { TlsOptions } from './vault/tls.ts'
export type { Vault } from './vault/vault.ts'
export type { VaultOptions } from './vault/vault-options.ts'
