import S3rver from "s3rver";

/** Runs a server of S3 until it is killed: folder, address, port and bucket stand in the arguments, a line says that it is up. */
const [directory = "", address = "", port = "", bucket = ""] = process.argv.slice(2);
const server = new S3rver({
  directory,
  address,
  port: Number(port),
  silent: true,
  configureBuckets: [{ name: bucket }],
});
await server.run();
console.log("up");
