// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>

#include "proxy/time.h"

namespace synward::io {

// Sends whole IP packets through raw sockets (one per family), marked, so that synward's own rules
// leave them alone and do not track them. Batched with sendmmsg. Not thread safe; one per worker.
class Injector {
 public:
  // `mark` goes on every packet (SO_MARK, needs CAP_NET_ADMIN; raw sockets need CAP_NET_RAW).
  static std::expected<Injector, std::string> open(std::uint32_t mark);
  Injector(Injector&&) noexcept;
  Injector& operator=(Injector&&) noexcept;
  ~Injector();

  // `packet` starts with its IP header (version 4 or 6), checksums complete, no longer than the
  // route's MTU. It must stay valid until flush().
  void add(std::span<const std::uint8_t> packet);
  // Sends what was added; returns how many the kernel refused (no route, firewall, EMSGSIZE, no
  // buffer). A refused packet does not keep later ones from being sent.
  std::uint64_t flush();
  // From now on a socket without room is waited for, until then; else it refuses all at once, as
  // whoever serves a queue cannot wait.
  void wait_for_room_until(Instant deadline);
  int last_error() const;  // errno of the newest refusal, 0 if none

 private:
  struct Impl;
  explicit Injector(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace synward::io
