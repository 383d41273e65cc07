// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/ruleset.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/netfilter.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "daemon/io/capability.h"
#include "daemon/io/netlink.h"
#include "daemon/io/nft_batch.h"
#include "daemon/io/nft_query.h"
#include "daemon/io/ruleset_rules.h"
#include "daemon/io/ruleset_way.h"

namespace synward::io {
namespace {

constexpr std::array<Family, 2> families{NFPROTO_IPV4, NFPROTO_IPV6};

const char* family_word(Family family) {
  return family == NFPROTO_IPV4 ? "ip" : "ip6";
}

std::string explain_refusal(const NftFailure& failure) {
  if (!has_capability(CAP_NET_ADMIN))
    return "nftables: not permitted: CAP_NET_ADMIN is missing; add it to AmbientCapabilities= or "
           "run under the shipped unit";
  return fmt::format(
      "nftables: another process owns the nftables table `{}` ({}): is a second synward running? "
      "Stop it first",
      table_name, failure.what.empty() ? "transaction refused" : failure.what);
}

std::string explain(const NftFailure& failure) {
  switch (failure.error) {
    case EPERM:
      return explain_refusal(failure);
    case EPROTONOSUPPORT:
    case EINVAL:
      // What nfnetlink answers to a batch for a subsystem that it does not have.
      if (failure.what.empty() || failure.error == EPROTONOSUPPORT)
        return "nftables: the kernel has no nf_tables; run `modprobe nf_tables`";
      break;
    case ENOENT:
    case EOPNOTSUPP:
      if (failure.need == NftNeed::queue)
        return fmt::format(
            "nftables: {}: the kernel has neither nft_queue nor nft_compat with xt_NFQUEUE; run "
            "`modprobe nft_queue`",
            failure.what);
      return fmt::format("nftables: {}: the kernel does not support it: {}", failure.what,
                         std::strerror(failure.error));
    default:
      break;
  }
  return fmt::format("nftables: {}: {}", failure.what.empty() ? "transaction" : failure.what,
                     std::strerror(failure.error));
}

// There is no way to ask for an expression but to use it; the transaction was refused whole. What
// to try next: nothing if it was not for want of an expression, or if there is no other.
std::optional<RulesetParts> without_missing(RulesetParts parts, const NftFailure& failure) {
  if (failure.error != ENOENT && failure.error != EOPNOTSUPP) return std::nullopt;
  if (failure.need == NftNeed::queue && parts.native_queue) {
    parts.native_queue = false;
    return parts;
  }
  if (failure.need == NftNeed::reassembly) {
    parts.reassembly =
        parts.reassembly == Reassembly::tproxy ? Reassembly::xt_socket : Reassembly::none;
    return parts;
  }
  return std::nullopt;
}

}  // namespace

struct Ruleset::Impl {
  std::expected<void, std::string> apply(const RulesetPlan& plan);
  std::expected<void, NftFailure> try_apply(const RulesetPlan& plan, RulesetParts with);
  std::expected<std::uint64_t, std::string> count(const char* counter) const;
  std::expected<Way, std::string> way(const WayCounters& counters) const;

  MnlSocket socket;  // the tables live as long as it does
  struct Table {
    Family family;
    std::vector<std::string> sets;
  };
  const Table* installed_of(Family family) const;

  std::vector<Table> installed;
  std::vector<Family> stale;  // tables of our name that nobody owns
  std::vector<std::string> replaced;
  RulesetParts parts;
};

const Ruleset::Impl::Table* Ruleset::Impl::installed_of(Family family) const {
  const auto found = std::ranges::find(installed, family, &Table::family);
  return found == installed.end() ? nullptr : &*found;
}

std::expected<void, NftFailure> Ruleset::Impl::try_apply(const RulesetPlan& plan,
                                                         RulesetParts with) {
  NftBatch batch;
  std::vector<Table> wanted;
  for (const Family family : stale) add_table_deletion(batch, family);
  for (const Family family : families) {
    const Table* const table = installed_of(family);
    // A table stays to the end, for the sake of what waits in the queues; without a service of its
    // family it is empty.
    if (table == nullptr && !family_in_use(plan, family)) continue;
    if (table == nullptr) add_frame(batch, plan, family, with);
    if (table != nullptr) add_deletion_of_contents(batch, family, table->sets);
    wanted.emplace_back(family, family_in_use(plan, family)
                                    ? add_contents(batch, plan, family, with)
                                    : std::vector<std::string>{});
  }
  if (batch.empty()) return {};
  auto done = batch.commit(socket.get());
  if (!done) return done;
  installed = std::move(wanted);
  parts = with;
  return {};
}

std::expected<void, std::string> Ruleset::Impl::apply(const RulesetPlan& plan) {
  for (RulesetParts with = parts;;) {
    const auto done = try_apply(plan, with);
    if (done) return {};
    const auto lesser = without_missing(with, done.error());
    if (!lesser) return std::unexpected(explain(done.error()));
    with = *lesser;
  }
}

std::expected<std::uint64_t, std::string> Ruleset::Impl::count(const char* counter) const {
  std::uint64_t sum = 0;
  for (const auto& [family, sets] : installed) {
    const auto packets =
        query_counter(socket.get(), {.table = table_name, .family = family}, counter);
    if (!packets)
      return std::unexpected(fmt::format("nftables: counter {} of table {} {}: {}", counter,
                                         family_word(family), table_name,
                                         std::strerror(packets.error())));
    sum += *packets;
  }
  return sum;
}

// Read against their way: whatever comes meanwhile makes too many of those that were not dropped,
// never too few.
std::expected<Ruleset::Way, std::string> Ruleset::Impl::way(const WayCounters& counters) const {
  const auto routed = count(counters.routed);
  if (!routed) return std::unexpected(routed.error());
  const auto passed = count(counters.passed);
  if (!passed) return std::unexpected(passed.error());
  const auto to_route = count(counters.to_route);
  if (!to_route) return std::unexpected(to_route.error());
  // Somebody else's packets with our mark may have been routed without having come.
  const std::uint64_t refused = *to_route - std::min(*routed, *to_route);
  return Way{.undropped = *passed + refused, .to_route = *to_route, .routed = *routed};
}

Ruleset::Ruleset(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ruleset::Ruleset(Ruleset&&) noexcept = default;
Ruleset& Ruleset::operator=(Ruleset&&) noexcept = default;
// The kernel deletes a table with its owner's socket, before close() returns.
Ruleset::~Ruleset() = default;

std::expected<Ruleset, std::string> Ruleset::install(const RulesetPlan& plan, RulesetParts best) {
  auto impl = std::make_unique<Impl>();
  impl->parts = best;
  auto socket = open_netfilter_socket();
  if (!socket) return std::unexpected(explain({.error = socket.error()}));
  impl->socket = std::move(*socket);
  for (const Family family : families) {
    const auto owner = query_owner(impl->socket.get(), {.table = table_name, .family = family});
    if (owner && *owner == 0) impl->stale.push_back(family);
  }
  if (auto done = impl->apply(plan); !done) return std::unexpected(std::move(done.error()));
  for (const Family family : std::exchange(impl->stale, {}))
    impl->replaced.push_back(fmt::format("{} {}", family_word(family), table_name));
  return Ruleset(std::move(impl));
}

std::expected<void, std::string> Ruleset::replace(const RulesetPlan& plan) {
  return impl_->apply(plan);
}

const std::vector<std::string>& Ruleset::replaced_tables() const {
  return impl_->replaced;
}

RulesetParts Ruleset::parts() const {
  return impl_->parts;
}

std::expected<Ruleset::Way, std::string> Ruleset::way_of_challenges() const {
  return impl_->way(synack_counters);
}

std::expected<Ruleset::Way, std::string> Ruleset::way_of_segments() const {
  return impl_->way(segment_counters);
}

bool Ruleset::present() const {
  const std::uint32_t self = mnl_socket_get_portid(impl_->socket.get());
  for (const auto& [family, sets] : impl_->installed) {
    const auto owner = query_owner(impl_->socket.get(), {.table = table_name, .family = family});
    if (!owner || *owner != self) return false;
  }
  return true;
}

std::expected<void, std::string> Ruleset::remove() {
  NftBatch batch;
  for (const auto& [family, sets] : impl_->installed) add_table_deletion(batch, family);
  if (batch.empty()) return {};
  if (auto done = batch.commit(impl_->socket.get()); !done)
    return std::unexpected(explain(done.error()));
  impl_->installed.clear();
  return {};
}

}  // namespace synward::io
