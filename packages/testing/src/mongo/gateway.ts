import type { Socket } from 'node:net'
import { type Gateway, openGateway } from '../gateway.ts'
import { commandIn, greetingIn, type MongoDocument, messages, replyTo, wantsReply } from './messages.ts'
import { userIn } from './user-in.ts'

/** Stands between clients and a MongoDB server, and sees every command before the server does. */
export type MongoGateway = Gateway

/** Where a gateway leads, and what it does on the way. */
export interface MongoGatewayOptions {
  readonly host: string
  readonly port: number
  /**
   * Called with each command, and with the user who has begun to log in on its connection. The server is asked afterwards,
   * unless this gives a reply. What it throws, the client gets as the reply of a server that failed.
   */
  onCommand(command: MongoDocument, user: string | undefined): Promise<MongoDocument | undefined>
}

/** Opens a gateway on an ephemeral port of 127.0.0.1. It does not keep the process alive. */
export async function openMongoGateway(options: MongoGatewayOptions): Promise<MongoGateway> {
  return await openGateway(options, (client, server) => forward(client, server, options.onCommand))
}

async function forward(
  client: Socket,
  server: Socket,
  onCommand: MongoGatewayOptions['onCommand'],
): Promise<void> {
  let user: string | undefined
  for await (const message of messages(client)) {
    const command = commandIn(message)
    user = userIn(command ?? greetingIn(message) ?? {}) ?? user
    const reply = command && (await onCommand(command, user).catch(failure))
    if (!reply) server.write(message)
    else if (wantsReply(message)) client.write(replyTo(message, reply))
  }
}

function failure(error: unknown): MongoDocument {
  return { ok: 0, code: 8, codeName: 'UnknownError', errmsg: String(error) }
}
