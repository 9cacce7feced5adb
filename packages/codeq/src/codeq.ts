/**
 * A message of the queue. `body` is passed by reference in the embedded driver: neither side may change it
 * after publishing.
 */
export interface Message<Body> {
  /** Unique; a second publish of the same id is dropped while the first is queued, claimed, expired or dead. */
  id: string;
  topic: string;
  tenant: string;
  /** The ordering key within the tenant, one FIFO each: `namespace/function` for invocations. */
  lane: string;
  body: Body;
  /** Attempt the next delivery is, from 1. */
  attempt: number;
  enqueued_at_ms: number;
  /** Not delivered before this moment (0 for at once). */
  due_at_ms: number;
  /** From this moment on not delivered; it goes to `onExpired` instead. */
  expires_at_ms: number;
}

export interface PublishOptions {
  /** Most messages that may wait in the lane, those of the same durability counted together. */
  depthMax: number;
  /** Durable: the promise settles only when the message would survive `kill -9`. */
  durable: boolean;
  /**
   * A write of the publisher's own that belongs to the message. Called once, right after a durable message was
   * given to the engine and in the same tick, so that an engine and a store that share transactions commit both
   * or neither; not called for a message that is refused or dropped. The publish waits for it.
   */
  together?: () => Promise<void>;
}

/** A claimed message. Exactly one of `ack`, `nack`, `release`, `deadLetter` ends it; later calls do nothing. */
export interface Delivery<Body> {
  readonly message: Message<Body>;
  /** When the lease ends unless it is extended, epoch milliseconds. */
  readonly leaseUntilMs: number;
  /** Keeps the lease for another `leaseMs`. @returns `false` when the lease was lost */
  extend(leaseMs: number): Promise<boolean>;
  /** Done: the message is gone for good. A durable message may come back where this rejects. */
  ack(): Promise<void>;
  /** Back to the front of its lane, due after `delayMs`, with attempt + 1. */
  nack(delayMs: number): Promise<void>;
  /** Back to the front of its lane as if it had not been claimed: the same attempt, due at once. */
  release(): Promise<void>;
  /** To the dead-letter queue of its topic with a reason; a non-durable one may be dropped from there for room. */
  deadLetter(reason: string): Promise<void>;
}

/** Why an expired message becomes a dead letter; nothing where it is gone. */
export type ExpiredEnd = string | void;

/**
 * What a consumer offers. The queue calls `deliver` as soon as a message and capacity exist together, fairly:
 * round by weight over tenants, then over the lanes of a tenant, FIFO within a lane.
 * `capacity` and `accepts` only answer; `deliver` and `onExpired` may call the queue.
 */
export interface Consumer<Body> {
  topic: string;
  leaseMs: number;
  /**
   * How many messages of a lane, 1 or more, are claimed for it where nothing is known of the lane, then twice as many each time it took
   * all: where `accepts` is asked after the claim, what it refuses is passed by what stands behind. As many as there are
   * where it is not given, on NATS, and where `accepts` is asked before.
   */
  slowStart?: number;
  /** How many more messages it takes now, in all. */
  capacity(): number;
  /**
   * Whether it can take a message of this lane now; asked with the lane's first message. After `false` the
   * lane is not asked for again before `wake` or before another message is its first.
   */
  accepts(message: Message<Body>): boolean;
  /** Takes a message; never called inside `consume`, but possibly inside `publish`, `wake` or an end of another. */
  deliver(delivery: Delivery<Body>): void;
  /**
   * A message that waited past `expires_at_ms`; it is not delivered any more. One of the topic's consumers hears of it and
   * says what becomes of it. The queue keeps it until then; where he throws, or says nothing, somebody is told again
   * after a while. The embedded engine writes its end in the turn of the event loop in which it is said.
   */
  onExpired(message: Message<Body>): ExpiredEnd | Promise<ExpiredEnd>;
}

export interface Subscription {
  /**
   * Tells the queue that `capacity` or `accepts` may have changed. Cheap; call it when work ends. Name the
   * lane where only its own answer of `accepts` changed (a message or delivery.message will do): every
   * other refused lane is then left alone.
   */
  wake(lane?: Pick<Message<unknown>, "tenant" | "lane">): void;
  /** Stops claiming; claimed messages stay with the consumer. */
  close(): Promise<void>;
}

export interface LaneDepth {
  tenant: string;
  lane: string;
  ready: number;
  delayed: number;
  claimed: number;
}

export interface DeadLetter<Body> {
  /** As it was claimed last; its `due_at_ms` is when it died. */
  message: Message<Body>;
  reason: string;
}

/** Which waiting messages of a topic are let go of. */
export type DiscardedMessages = "expired" | "all";

/** Which dead letters of a topic are meant. */
export interface DeadFilter {
  tenant: string;
  /** A lane, or with a slash at its end every lane that begins so. */
  lane: string;
}

/** A dead letter without its body: what a list of them shows. */
export interface DeadHeading {
  id: string;
  lane: string;
  attempt: number;
  enqueued_at_ms: number;
  /** When it died. */
  dead_at_ms: number;
  reason: string;
  /** Its place, above 0: a page goes on after it. */
  at: number;
}

/** Where a waiting ingress gets its answer: one channel a gateway, results told apart by address and request id. */
export interface ReplyChannel<Result> extends AsyncDisposable {
  /**
   * Waits for one result. `receive` is called at most once.
   * @returns the address to put into `reply_to`
   */
  expect(requestId: string, receive: (result: Result) => void): string;
  /** Stops waiting at an address that `expect` gave. */
  forget(address: string, requestId: string): void;
}

/** Which of a topic's messages are meant. */
export interface MessageFilter {
  tenant: string;
  /** A lane, or with a slash at its end every lane that begins so; absent: all of the tenant's. */
  lane?: string | undefined;
}

/** A place in a list of messages, newest first: of one moment the greater id counts as newer. */
export interface MessagePlace {
  enqueued_at_ms: number;
  id: string;
}

export interface FoundMessage<Body> {
  message: Message<Body>;
  /** Whether it was delivered before: it is claimed now, or waits for another attempt. */
  wasDelivered: boolean;
}

export interface MessagePage<Body> {
  found: FoundMessage<Body>[];
  /** Where the next page begins: everything newer was looked at. Absent where this one is the last. */
  next?: MessagePlace | undefined;
}

/** Finds durable messages that wait or are claimed, without taking them. */
export interface MessageLookup<Body> {
  /** @returns a tenant's message */
  find(topic: string, tenant: string, id: string): Promise<Message<Body> | undefined>;
  /**
   * A page of a tenant's messages, newest first.
   * @param below the last place that is not wanted any more, `undefined` for the first page
   * @returns up to `limit`; fewer with a `next` where an engine has looked at as many as it does in one call
   */
  newest(
    topic: string,
    filter: MessageFilter,
    below: MessagePlace | undefined,
    limit: number,
  ): Promise<MessagePage<Body>>;
}

/**
 * codeQ: the queue between ingress and execution. Every method may throw `CS_CODEQ_PUBLISH_FAILED` or
 * `CS_CODEQ_SUBSCRIBE_FAILED` where the engine behind it fails.
 *
 * States of a message: ready or delayed → claimed → gone | ready (nack, lease lost) | dead; ready or delayed → expired →
 * gone | dead. A lost lease counts as a failed attempt: the message returns with attempt + 1.
 */
export interface CodeQ<Body, Result> extends AsyncDisposable {
  /** Whether other processes publish and take as well. If not, it lives in this one, and may share the store's transactions. */
  readonly isShared: boolean;
  /** Where a message can be looked up, nobody has to keep a copy to find it. Absent where the engine cannot. */
  readonly lookup?: MessageLookup<Body>;
  /** @throws CS_QUEUE_FULL when the lane holds `depthMax` waiting messages; retries pass the bound */
  publish(message: Message<Body>, options: PublishOptions): Promise<void>;
  consume(consumer: Consumer<Body>): Promise<Subscription>;
  /**
   * Takes a message out before it is claimed.
   * @param topic where it is known: a remote engine then need not look through all topics
   * @returns the message, or `undefined` when it is not waiting
   */
  cancel(id: string, topic?: string): Promise<Message<Body> | undefined>;
  depth(topic: string): Promise<LaneDepth[]>;
  /** @returns the topics that may hold something, in no order */
  topics(): Promise<string[]>;
  /**
   * Lets go of messages that wait in a topic, in no order; no consumer hears of them.
   * @param which those that are too old, or all
   * @returns how many went, `limit` at most; fewer where there are no more
   */
  discard(topic: string, which: DiscardedMessages, limit: number): Promise<number>;
  /** @returns how many dead letters a topic has, of all tenants */
  deadCount(topic: string): Promise<number>;
  /** Dead letters, oldest first. */
  dead(topic: string, limit: number): Promise<DeadLetter<Body>[]>;
  /**
   * A page of dead letters, oldest first.
   * @param after `at` of the last one of the page before, 0 for the first page
   * @returns up to `limit`; fewer when there are no more
   */
  deadPage(topic: string, filter: DeadFilter, after: number, limit: number): Promise<DeadHeading[]>;
  /** @returns a tenant's dead letter, or `undefined` */
  findDead(topic: string, tenant: string, id: string): Promise<DeadLetter<Body> | undefined>;
  /** Takes a tenant's dead letter away for good. @returns whether there was one */
  removeDead(topic: string, tenant: string, id: string): Promise<boolean>;
  /** Puts dead letters back as attempt 1, their age counted anew, all of a topic or one. @returns how many */
  redrive(topic: string, id?: string): Promise<number>;
  openReplies(): Promise<ReplyChannel<Result>>;
  /**
   * Sends a result to an address. Where nobody waits any more it is dropped.
   * @returns `false` where it is known that nobody waited; a remote engine that cannot know says `true`
   */
  reply(address: string, requestId: string, result: Result): boolean;
  /**
   * Says which platform's work lies here, by a name of its own that its store keeps: the first one stays. Absent where the
   * engine cannot keep it.
   * @throws CS_CONFLICT when it is another one's
   */
  belongTo?(platform: string): Promise<void>;
  /** Weight of a tenant in the fair claim (1). @throws CS_VALIDATION_FAILED unless it is above 0 */
  setWeight(tenant: string, weight: number): void;
  /** @throws CS_CODEQ_PUBLISH_FAILED when the engine cannot take work now, or an open channel gets no replies */
  check(): Promise<void>;
}
