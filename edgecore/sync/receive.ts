import type { Digest } from '@kedge/shared/changes'
import type { DownFrame, Frame } from '@kedge/shared/frames'

/** Where this edge stands: what it holds, and how far the present conversation has come. */
export interface Standing {
  /** Line of revisions that `revision` counts in; empty when nothing was ever adopted. */
  epoch: string
  revision: number
  /** Of the objects held. */
  digest: Digest
  /** The conversation in progress: frames of another one are old. */
  talk: string
  /** Whether the cloud has answered the `have` of this conversation. */
  adopted: boolean
}

export type Doubt = Frame<'have'>['why']

export type Outcome =
  | { is: 'adopt'; epoch: string; revision: number }
  | { is: 'apply'; changes: Frame<'changes'> }
  | { is: 'tell-all'; question: Frame<'compare'> }
  | { is: 'keep'; piece: Frame<'piece'> }
  /** Already done: say so again, the first answer may have been lost. */
  | { is: 'repeat-applied' }
  | { is: 'ignore'; why: 'old-talk' | 'repeated' | 'not-adopted' }
  | { is: 'doubt'; why: Doubt }
  | { is: 'halt'; reason: string }

/** The frames of the sync conversation; answers, requests to tell, and what is about the identity are not part of it. */
export type SyncFrame = Exclude<DownFrame, Frame<'answered' | 'tell' | 'renewed' | 'identity'>>

/**
 * What to do with a frame from the cloud. Pure; the caller acts.
 *
 * A change is applied if and only if this edge holds exactly the set that it was made for: the digest decides, and
 * within a conversation the revision as well, so that a late repeat never takes the edge back. Everything else that
 * belongs to the conversation leads to a comparison, never to a guess.
 */
export function receive(standing: Standing, frame: SyncFrame): Outcome {
  if (frame.is === 'sorry') return { is: 'halt', reason: frame.reason }
  if (frame.talk !== standing.talk) return { is: 'ignore', why: 'old-talk' }
  switch (frame.is) {
    case 'compare':
      return { is: 'tell-all', question: frame }
    case 'piece':
      return { is: 'keep', piece: frame }
    case 'confirm':
      return standing.adopted ? { is: 'repeat-applied' } : { is: 'ignore', why: 'not-adopted' }
    case 'same':
      return same(standing, frame)
    case 'changes':
      return changes(standing, frame)
  }
}

function same(standing: Standing, frame: Frame<'same'>): Outcome {
  if (standing.adopted) return { is: 'ignore', why: 'repeated' }
  if (frame.digest !== standing.digest) return { is: 'doubt', why: 'digest' }
  return { is: 'adopt', epoch: frame.epoch, revision: frame.revision }
}

function changes(standing: Standing, frame: Frame<'changes'>): Outcome {
  if (standing.adopted) {
    if (frame.epoch !== standing.epoch) return { is: 'doubt', why: 'epoch' }
    if (frame.to <= standing.revision) return { is: 'repeat-applied' }
    if (frame.from !== standing.revision) return { is: 'doubt', why: 'gap' }
  }
  return frame.base === standing.digest ? { is: 'apply', changes: frame } : { is: 'doubt', why: 'digest' }
}
