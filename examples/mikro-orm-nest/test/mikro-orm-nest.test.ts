import { usersService } from '../../../test/examples/users-service.ts'

usersService('mikro-orm-nest', 'postgresql', {
  status: 'ok',
  info: { database: { status: 'up', reasons: [] } },
})
