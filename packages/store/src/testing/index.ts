export { missingMoto, type MotoServer, startMoto } from "./moto-server.ts";
export { missingNats, type NatsServer, type NatsServerOptions, startNats } from "./nats-server.ts";
export { freePort } from "./free-port.ts";
export { monitorRedis, type RedisMonitor, type UndeclaredKey } from "./redis-monitor.ts";
export { readListedCommands } from "./listed-commands.ts";
export { type LuaCall, luaCode, readLuaCalls, readSends } from "./redis-sources.ts";
export {
  missingPostgres,
  type PostgresDatabase,
  type PostgresServer,
  type PostgresServerOptions,
  startPostgres,
} from "./postgres-server.ts";
export { missingRedis, type RedisServer, type RedisServerOptions, startRedis } from "./redis-server.ts";
export { type S3Server, startS3 } from "./s3-server.ts";
export { type Partition, startProxy, type TcpProxy } from "./tcp-proxy.ts";
export { withNats } from "./with-nats.ts";
export { withRedis } from "./with-redis.ts";
