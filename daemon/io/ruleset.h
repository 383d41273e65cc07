// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "proxy/wire/address.h"

namespace synward::io {

// What the rules are made from.
struct RulesetPlan {
  std::vector<std::string> client_interfaces;
  std::vector<std::string> server_interfaces;
  std::vector<wire::Endpoint> listens;  // destinations of client packets
  // Those of them behind whose address is nobody: SYNs from servers and from this host are refused.
  std::vector<wire::Endpoint> translated;
  std::vector<wire::Endpoint>
      backends;  // sources of server packets (listens of transparent services too)
  std::vector<wire::Address> own_addresses;  // F3: the host's own connections to its servers
  std::uint16_t queue_start = 24100;
  std::uint16_t workers = 1;  // their queues: queue_numbers.h
  std::uint32_t mark = 0x53590000;
  std::uint32_t mark_mask = 0xffff0000;
  // Of the hash that spreads clients over workers. Random, or a flood can be aimed at one worker;
  // the same for all plans of a process, or flows change their worker at a reload.
  std::uint32_t steering_seed = 0;
};

// What makes the kernel put fragments together before it shows packets to the rules: a rule with a
// `tproxy` expression or, where the kernel has no nft_tproxy, with the xt `socket` match.
enum class Reassembly : std::uint8_t { tproxy, xt_socket, none };

// What the rules are made of, from the best to what every kernel has.
struct RulesetParts {
  bool native_queue = true;  // the `queue` expression; else the xt NFQUEUE target (revision 3)
  Reassembly reassembly = Reassembly::tproxy;
};

// The nftables tables `ip synward` and `ip6 synward` with flags owner, in one transaction: they
// die with this object's socket and nobody else can edit them.
class Ruleset {
 public:
  // Installs, from the best parts that the kernel has, `best` at most. Tables of our name that
  // no process owns (a saved copy that was loaded) give way. One sentence on failure; nothing
  // changes then.
  static std::expected<Ruleset, std::string> install(const RulesetPlan& plan,
                                                     RulesetParts best = {});
  Ruleset(Ruleset&&) noexcept;
  Ruleset& operator=(Ruleset&&) noexcept;
  ~Ruleset();  // removes the tables

  // The rules of another plan instead, in one transaction: no packet meets half of either, and
  // on an error the old ones stay. Counters go on, and what waits in the queues stays there.
  std::expected<void, std::string> replace(const RulesetPlan& plan);

  RulesetParts parts() const;
  // Those that gave way, as `ip synward`.
  const std::vector<std::string>& replaced_tables() const;
  // Of the packets with our mark that queues let on: what other chains of PREROUTING and FORWARD
  // have not dropped. Anybody can send what routing refuses between them (no route, TTL, MTU), so
  // that is no proof against a firewall, and is in `undropped`.
  struct Way {
    std::uint64_t undropped = 0;
    std::uint64_t to_route = 0, routed = 0;  // before and behind routing
  };
  // Challenges that were written in place: those of a raw socket are not forwarded.
  std::expected<Way, std::string> way_of_challenges() const;
  // All other segments.
  std::expected<Way, std::string> way_of_segments() const;
  // False if a table of ours is gone (or the kernel does not answer).
  bool present() const;
  // Deletes the tables now; used by the ordered stop.
  std::expected<void, std::string> remove();

 private:
  struct Impl;
  explicit Ruleset(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace synward::io
