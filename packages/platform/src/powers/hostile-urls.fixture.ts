/**
 * URLs that must reach nothing, each by another trick. `PORT` stands for the port of a server on loopback that
 * would answer. Names ending in `.rebind.test` are known to the resolver of the test.
 */
export const HOSTILE_URLS: readonly string[] = `
http://127.0.0.1:PORT/
http://127.0.0.2:PORT/
http://127.255.255.254:PORT/
http://127.1:PORT/
http://127.0.1:PORT/
http://0:PORT/
http://0.0.0.0:PORT/
http://2130706433:PORT/
http://0x7f000001:PORT/
http://0x7f.0.0.1:PORT/
http://0x7f.1:PORT/
http://0177.0.0.1:PORT/
http://017700000001:PORT/
http://0177.1:PORT/
http://00000177.0.0.1:PORT/
http://127.0.0.1.:PORT/
http://127.0.0.1%2e:PORT/
http://127%2e0%2e0%2e1:PORT/
http://%31%32%37.0.0.1:PORT/
http://①②⑦.⓪.⓪.①:PORT/
http://１２７.０.０.１:PORT/
http://127。0。0。1:PORT/
http://127．0．0．1:PORT/
http://127｡0｡0｡1:PORT/
http://１２７.１:PORT/
http://1\u00ad27.0.0.1:PORT/
http://[::1]:PORT/
http://[0:0:0:0:0:0:0:1]:PORT/
http://[0000::0001]:PORT/
http://[::]:PORT/
http://[::127.0.0.1]:PORT/
http://[::7f00:1]:PORT/
http://[::ffff:127.0.0.1]:PORT/
http://[::ffff:7f00:1]:PORT/
http://[0:0:0:0:0:ffff:127.0.0.1]:PORT/
http://[::ffff:0:127.0.0.1]:PORT/
http://[64:ff9b::127.0.0.1]:PORT/
http://[64:ff9b::7f00:1]:PORT/
http://[64:ff9b:1::7f00:1]:PORT/
http://[2002:7f00:1::]:PORT/
http://[2002:7f00:0001::1]:PORT/
http://[2001:0:7f00:1::]:PORT/
http://[2001::80ff:fffe]:PORT/
http://[2606:4700::5efe:7f00:1]:PORT/
http://[fe80::1]:PORT/
http://[fe80::1%25lo]:PORT/
http://[fe80::1%lo]:PORT/
http://[fec0::1]:PORT/
http://[fc00::1]:PORT/
http://[fd12:3456::1]:PORT/
http://[ff02::1]:PORT/
http://[100::1]:PORT/
http://[2001:db8::1]:PORT/
http://[3fff::1]:PORT/
http://[5f00::1]:PORT/
http://localhost:PORT/
http://LOCALHOST:PORT/
http://localhost.:PORT/
http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:PORT/
http://loc\u00adalhost:PORT/
http://l%6fcalhost:PORT/
http://foo.localhost:PORT/
http://localhost.localdomain:PORT/
http://ip6-localhost:PORT/
http://printer.local:PORT/
http://db.internal:PORT/
http://kubernetes.default.svc/
http://api.default.svc.cluster.local/
http://router.lan/
http://nas.home.arpa/
http://intranet/
http://host.docker.internal:PORT/
http://10.0.0.1/
http://172.16.0.1/
http://172.31.255.255/
http://192.168.0.1/
http://192.168.1/
http://3232235521/
http://100.64.0.1/
http://198.18.0.1/
http://192.0.2.1/
http://224.0.0.1/
http://240.0.0.1/
http://255.255.255.255/
http://169.254.169.254/latest/meta-data/
http://2852039166/latest/meta-data/
http://0xa9fea9fe/latest/meta-data/
http://0xa9.0xfe.0xa9.0xfe/
http://0251.0376.0251.0376/
http://169.254.43518/
http://169.16689662/
http://[::ffff:169.254.169.254]/
http://[::ffff:a9fe:a9fe]/
http://[64:ff9b::a9fe:a9fe]/
http://[2002:a9fe:a9fe::]/
http://①⑥⑨.②⑤④.①⑥⑨.②⑤④/
http://169.254.170.2/v2/credentials
http://[fd00:ec2::254]/latest/meta-data/
http://168.63.129.16/machine
http://100.100.100.200/latest/meta-data/
http://metadata/
http://metadata.google.internal/computeMetadata/v1/
http://METADATA.google.internal./
http://metadata.goog/
http://instance-data/latest/
http://user@127.0.0.1:PORT/
http://user:pass@127.0.0.1:PORT/
http://good.rebind.test@127.0.0.1:PORT/
http://127.0.0.1:PORT\\@good.rebind.test/
http://good.rebind.test#@127.0.0.1:PORT/
http:127.0.0.1:PORT/
http:\\\\127.0.0.1:PORT\\
http:/127.0.0.1:PORT/
http:///127.0.0.1:PORT/
 http://127.0.0.1:PORT/
{tab}http://127.0.0.1:PORT/
ht{newline}tp://127.0.0.1:PORT/
http://127.0.0.1{tab}:PORT/
//127.0.0.1:PORT/
127.0.0.1:PORT
ftp://127.0.0.1:PORT/
file:///etc/passwd
gopher://127.0.0.1:PORT/_x
data:text/plain,x
unix:/var/run/docker.sock
http+unix://%2Fvar%2Frun%2Fdocker.sock/
ws://127.0.0.1:PORT/
javascript:alert(1)
blob:http://127.0.0.1:PORT/x
https://127.0.0.1:PORT/
https://[::1]:PORT/
http://1.1.1.1:22/
http://8.8.8.8:6379/
http://good.rebind.test:22/
http://256.256.256.256/
http://127.0.0.1:99999/
http://[::1/
http://
http:
http://loopback.rebind.test:PORT/
http://loopback6.rebind.test:PORT/
http://mapped.rebind.test:PORT/
http://mixed.rebind.test:PORT/
http://mixed6.rebind.test:PORT/
http://private.rebind.test:PORT/
http://metadata.rebind.test:PORT/
http://nat64.rebind.test:PORT/
http://zone.rebind.test:PORT/
http://text.rebind.test:PORT/
http://decimal.rebind.test:PORT/
http://empty.rebind.test:PORT/
http://xn--n3h.loopback.rebind.test:PORT/
`
  .slice(1, -1)
  .split("\n")
  // Spelt out above so that one line stays one URL.
  .map((line) => line.replaceAll("{tab}", "\t").replaceAll("{newline}", "\n"));

/** What the resolver of the test answers. */
export const HOSTILE_ANSWERS: Readonly<Record<string, readonly string[]>> = {
  "loopback.rebind.test": ["127.0.0.1"],
  "xn--n3h.loopback.rebind.test": ["127.0.0.1"],
  "loopback6.rebind.test": ["::1"],
  "mapped.rebind.test": ["::ffff:127.0.0.1"],
  "mixed.rebind.test": ["1.1.1.1", "127.0.0.1"],
  "mixed6.rebind.test": ["2606:4700::1111", "::1"],
  "private.rebind.test": ["10.0.0.1"],
  "metadata.rebind.test": ["169.254.169.254"],
  "nat64.rebind.test": ["64:ff9b::7f00:1"],
  "zone.rebind.test": ["fe80::1%lo"],
  "text.rebind.test": ["localhost"],
  "decimal.rebind.test": ["2130706433"],
  "empty.rebind.test": [],
};
