import { apart } from './apart.ts'

apart('postgres')
