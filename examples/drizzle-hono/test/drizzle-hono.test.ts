import { usersService } from '../../../test/examples/users-service.ts'

usersService('drizzle-hono', 'postgresql')
