import { EventEmitter } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { onCommand, onFailure } from '../src/commands.ts'
import type { Command, MySqlConnection } from '../src/driver.ts'

const denied = new Error('denied')

describe('a command', () => {
  it('is told of before the connection hears of it', () => {
    const seen: string[] = []
    const addCommand = (command: Command): Command => {
      seen.push('added')
      return command
    }
    const connection = { addCommand } as MySqlConnection
    onCommand(connection, () => seen.push('told'))
    const command: Command = new EventEmitter()
    expect(connection.addCommand(command)).toBe(command)
    expect(seen).toEqual(['told', 'added'])
  })

  it('with a callback tells of its failure first, and of nothing else, and calls back as ever', () => {
    const onResult = vi.fn()
    const hear = vi.fn()
    const command: Command = Object.assign(new EventEmitter(), { onResult })
    onFailure(command, hear)
    command.onResult?.(null, ['row'], ['field'])
    expect(hear).not.toHaveBeenCalled()
    onFailure(command, hear)
    command.onResult?.(denied)
    expect(hear).toHaveBeenCalledExactlyOnceWith(denied)
    expect(onResult.mock.calls).toEqual([[null, ['row'], ['field']], [denied]])
    expect(onResult.mock.contexts).toEqual([command, command])
    expect(hear.mock.invocationCallOrder[0]).toBeLessThan(Number(onResult.mock.invocationCallOrder[1]))
  })

  it('has its own callback again once it is answered: mysql2 takes it, to call it by itself, when it is given again', () => {
    const onResult = vi.fn()
    const command: Command = Object.assign(new EventEmitter(), { onResult })
    onFailure(command, () => {})
    command.onResult?.(null)
    expect(command.onResult).toBe(onResult)
  })

  it('without a callback tells of its failure, which is as unheard as before when nobody else listens', () => {
    const hear = vi.fn()
    const command: Command = new EventEmitter()
    onFailure(command, hear)
    expect(command.listenerCount('error')).toBe(0)
    expect(() => command.emit('error', denied)).toThrow(denied)
    expect(hear).toHaveBeenCalledExactlyOnceWith(denied)
  })
})
