import { create } from "@bufbuild/protobuf";
import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import {
  type ActivityServer,
  ActivityServerError,
  type ActivityTask,
  type ServerFault,
} from "../activity-server.ts";
import { PayloadSchema, type PollForActivityTaskResponse, WorkerAPI } from "./worker-api.generated.ts";

export interface CadenceServerOptions {
  /** `grpc://host:port`, or `grpcs://…` with TLS. */
  url: string;
  /** JWT for a server that asks for one; empty for none. */
  token: string;
  /** What this program is called among the clients of the server. */
  clientVersion: string;
  /** How long a poll may last, milliseconds (65,000); below 20 s the server complains, below 2 s it refuses. */
  pollTimeoutMs?: number;
  /** How long any other call may last, milliseconds (10,000). */
  callTimeoutMs?: number;
}

const TASK_LIST_NORMAL = 1;
const POLL_TIMEOUT_MS = 65_000;
const CALL_TIMEOUT_MS = 10_000;
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
/** The feature set of the official clients that this one has the part for activities of. */
const FEATURE_VERSION = "1.7.0";

/**
 * Opens a Cadence server over gRPC. Nothing is sent before the first call; a lost connection is made again by the next.
 * @see docs/decisions/059-cadence-over-grpc.md for headers and deadlines
 */
export function createCadenceServer(options: CadenceServerOptions): ActivityServer {
  const { pollTimeoutMs = POLL_TIMEOUT_MS, callTimeoutMs = CALL_TIMEOUT_MS } = options;
  const polls = openClient(options);
  // Apart, so that open polls take no answer's place among the streams of a connection.
  const { client, session } = openClient(options);
  const call = { timeoutMs: callTimeoutMs };

  return {
    async poll({ domain, name, identity }, signal) {
      const taskList = { name, kind: TASK_LIST_NORMAL };
      try {
        const answer = await polls.client.pollForActivityTask(
          { domain, taskList, identity },
          { timeoutMs: pollTimeoutMs, signal },
        );
        return answer.taskToken.length === 0 ? undefined : taskOf(answer);
      } catch (error) {
        if (signal.aborted || isPollOver(error)) return undefined;
        throw serverError(error);
      }
    },
    async heartbeat(taskToken, data, identity) {
      const request = { taskToken, details: create(PayloadSchema, { data }), identity };
      const answer = await client.recordActivityTaskHeartbeat(request, call).catch(rethrow);
      return answer.cancelRequested;
    },
    async complete(taskToken, data, identity) {
      const request = { taskToken, result: create(PayloadSchema, { data }), identity };
      await client.respondActivityTaskCompleted(request, call).catch(rethrow);
    },
    async fail(taskToken, failure, identity) {
      await client.respondActivityTaskFailed({ taskToken, failure, identity }, call).catch(rethrow);
    },
    async cancelled(taskToken, data, identity) {
      const request = { taskToken, details: create(PayloadSchema, { data }), identity };
      await client.respondActivityTaskCanceled(request, call).catch(rethrow);
    },
    async [Symbol.asyncDispose]() {
      polls.session.abort();
      session.abort();
    },
  };
}

function openClient(options: CadenceServerOptions) {
  const baseUrl = options.url.replace(/^grpc/, "http");
  const session = new Http2SessionManager(baseUrl, { pingIntervalMs: 20_000, pingTimeoutMs: 10_000 });
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager: session,
    interceptors: [withHeaders(options)],
    readMaxBytes: MESSAGE_BYTES_MAX,
    writeMaxBytes: MESSAGE_BYTES_MAX,
    useBinaryFormat: true,
  });
  return { client: createClient(WorkerAPI, transport), session };
}

/** What the server's YARPC asks of every call; each key has exactly one value. */
function withHeaders({ token, clientVersion }: CadenceServerOptions): Interceptor {
  return (next) => (request) => {
    request.header.set("rpc-caller", "cs-cadence-poller");
    request.header.set("rpc-service", "cadence-frontend");
    request.header.set("rpc-encoding", "proto");
    request.header.set("cadence-client-name", "sous");
    request.header.set("cadence-client-library-version", clientVersion);
    request.header.set("cadence-client-feature-version", FEATURE_VERSION);
    if (token !== "") request.header.set("cadence-authorization", token);
    return next(request);
  };
}

function taskOf(answer: PollForActivityTaskResponse): ActivityTask {
  return {
    token: answer.taskToken,
    type: answer.activityType?.name ?? "",
    activityId: answer.activityId,
    workflowId: answer.workflowExecution?.workflowId ?? "",
    runId: answer.workflowExecution?.runId ?? "",
    input: answer.input?.data ?? new Uint8Array(0),
    attempt: answer.attempt,
    startToCloseMs: millisecondsOf(answer.startToCloseTimeout),
    heartbeatDetails: answer.heartbeatDetails?.data ?? new Uint8Array(0),
    heartbeatTimeoutMs: millisecondsOf(answer.heartbeatTimeout),
  };
}

const millisecondsOf = (duration: Duration | undefined): number =>
  duration === undefined ? 0 : Math.max(0, durationMs(duration));

/** Nothing came within the deadline, which is how a poll usually ends. */
const isPollOver = (error: unknown): boolean =>
  error instanceof ConnectError && error.code === Code.DeadlineExceeded;

function rethrow(error: unknown): never {
  throw serverError(error);
}

function serverError(error: unknown): ActivityServerError {
  const { code, rawMessage } = ConnectError.from(error);
  return new ActivityServerError(faultOf(code), `${Code[code]}: ${rawMessage}`, { cause: error });
}

/**
 * As the server's mapper turns its errors into codes. A domain that is active in another cluster (`FailedPrecondition`) and
 * a token that is not trusted pass: nothing is wrong with the call itself.
 */
function faultOf(code: Code): ServerFault {
  switch (code) {
    case Code.NotFound:
    case Code.AlreadyExists:
      return "gone";
    case Code.InvalidArgument:
      return "refused";
    default:
      return "unavailable";
  }
}
