import { usersService } from '../../../test/examples/users-service.ts'

usersService('mysql2-express', 'mysql')
