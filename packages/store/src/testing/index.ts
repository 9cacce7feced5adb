export { missingRedis, type RedisServer, type RedisServerOptions, startRedis } from "./redis-server.ts";
export { startProxy, type TcpProxy } from "./tcp-proxy.ts";
