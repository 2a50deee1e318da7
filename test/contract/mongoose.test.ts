import { contract } from './contract.ts'

contract('mongoose')
