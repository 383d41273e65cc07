// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/flow/key.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "proxy/shared/siphash.h"

namespace synward::flow {
namespace {

using Words = std::array<__u64, 3>;

Words words_of(const wire::Address& address) {
  Words words{};
  std::memcpy(words.data(), address.bytes.data(), address.bytes.size());
  return words;
}

}  // namespace

std::uint64_t keyed_hash(const HashKey& hash_key, const ConnectionKey& key) {
  Words words = words_of(key.client);
  words[2] = __u64{key.client_port} << 16 | key.listen;
  return synward_siphash(hash_key[0], hash_key[1], words.data(), 3);
}

std::uint64_t keyed_hash(const HashKey& hash_key, const BackendTuple& tuple) {
  std::array<__u64, 5> words{};
  std::memcpy(words.data(), tuple.client.address.bytes.data(), 16);
  std::memcpy(words.data() + 2, tuple.backend.address.bytes.data(), 16);
  words[4] = __u64{tuple.client.port} << 16 | tuple.backend.port;
  return synward_siphash(hash_key[0], hash_key[1], words.data(), words.size());
}

std::uint64_t keyed_hash(const HashKey& hash_key, const wire::Address& address) {
  const Words words = words_of(address);
  return synward_siphash(hash_key[0], hash_key[1], words.data(), 2);
}

wire::Address source_prefix(const wire::Address& address) {
  wire::Address prefix = address;
  const std::ptrdiff_t kept = address.is_ipv4() ? 12 + 3 : 8;
  std::fill(prefix.bytes.begin() + kept, prefix.bytes.end(), std::uint8_t{0});
  return prefix;
}

}  // namespace synward::flow
