// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <expected>
#include <string>

#include "proxy/handshake/keyring.h"

namespace synward {

// C2: the master key, 32 hex digits and a newline in a file of mode 0600; made from getrandom(2),
// with its directory, at the first start. One sentence on failure.
std::expected<handshake::MasterKey, std::string> load_or_create_key(const std::string& path);

// C4: the offset between wall clock and boot clock that cookies were made with, kept beside the key
// for the daemon's successor within the same boot: a step of the wall clock between the two must
// not void the cookies under way.
class ClockAnchor {
 public:
  // `path`: the key file's; the anchor is PATH.clock. `present` is used if there is none of this
  // boot.
  ClockAnchor(const std::string& key_path, Duration present);

  Duration offset() const { return offset_; }
  // Above 2 s of difference: takes `present` over, keeps it on disk, and is true.
  bool stepped(Duration present);

 private:
  void keep() const;
  std::string path_;
  std::string boot_id_;
  Duration offset_;
};

}  // namespace synward
