export { type CloudSqlIamOptions, cloudSqlIam, type GoogleAuthLike } from './cloud-sql-iam.ts'
export { type EntraOptions, entra, type TokenCredentialLike } from './entra.ts'
export { type AwsCredentials, type RdsIamOptions, rdsIam } from './rds-iam.ts'
