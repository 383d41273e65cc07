// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/backend/choice.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "proxy/shared/siphash.h"

namespace synward::backend {
namespace {

// -weight / ln(u) for a hash u between 0 and 1: the highest of these is a backend's as often as its
// share of the weights, and a weight that changes moves only what it gains or loses.
double score(const flow::HashKey& key, const flow::ConnectionKey& connection,
             const wire::Endpoint& backend, std::uint32_t weight) {
  std::array<__u64, 5> words{};
  std::memcpy(words.data(), connection.client.bytes.data(), 16);
  std::memcpy(words.data() + 2, backend.address.bytes.data(), 16);
  words[4] = std::uint64_t{connection.client_port} << 32 | backend.port;
  const std::uint64_t hash = synward_siphash(key[0], key[1], words.data(), words.size());
  // Odd, so it is neither 0 nor, with 53 bits of it, 1.
  const double uniform = std::ldexp(static_cast<double>(hash >> 12 << 1 | 1), -53);
  return -static_cast<double>(weight) / std::log(uniform);
}

std::uint64_t bit_of(std::size_t candidate) {
  return std::uint64_t{1} << (candidate % backends_max);
}

}  // namespace

Choice::Choice(const Directory& directory, const flow::HashKey& key)
    : directory_(directory), key_(key) {
  grow();
}

void Choice::grow() {
  health_.resize(directory_.service_count());
  for (std::size_t i = 0; i < health_.size(); ++i) health_[i].resize(directory_.backend_count(i));
}

std::uint64_t Choice::tried_bit(std::uint16_t listen, std::uint16_t position) const {
  const auto candidates = directory_.candidates(listen);
  return bit_of(
      static_cast<std::size_t>(std::ranges::find(candidates, position) - candidates.begin()));
}

std::optional<std::uint16_t> Choice::next(const flow::ConnectionKey& connection,
                                          std::uint64_t tried, Instant now) const {
  const Listen& listen = directory_.listen(connection.listen);
  std::optional<std::uint16_t> best;
  double best_score = 0;
  bool best_is_well = false;
  const std::span<const std::uint16_t> candidates = directory_.candidates(connection.listen);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if ((tried & bit_of(i)) != 0) continue;
    const std::uint16_t position = candidates[i];
    const bool well = is_well(listen.service, position, now);
    const double its_score = score(key_, connection, directory_.backend(listen.service, position),
                                   directory_.weight(listen.service, position));
    const bool better = well != best_is_well ? well : its_score > best_score;
    if (best && !better) continue;
    best = position;
    best_score = its_score;
    best_is_well = well;
  }
  return best;
}

bool Choice::is_well(std::uint16_t service, std::uint16_t position, Instant now) const {
  return health_[service][position].passed_over_until <= now;
}

void Choice::answered(std::uint16_t service, std::uint16_t position, Instant now) {
  health_[service][position].answered = now;
}

void Choice::failed(const Failure& failure, Instant now) {
  Health& health = health_[failure.service][failure.position];
  if (health.answered < failure.asked) health.passed_over_until = now + passed_over;
}

}  // namespace synward::backend
