import { contract } from './contract.ts'

contract('mongodb')
