// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/nft_query.h"

#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/object.h>
#include <libnftnl/table.h>
#include <linux/netfilter/nf_tables.h>

#include <array>
#include <cerrno>
#include <memory>

namespace synward::io {
namespace {

constexpr std::uint32_t query_sequence = 0x51554552;  // not one of a transaction

struct TableDeleter {
  void operator()(nftnl_table* table) const { nftnl_table_free(table); }
};
struct ObjectDeleter {
  void operator()(nftnl_obj* object) const { nftnl_obj_free(object); }
};

// Sends the request and hands the answer to `parse`; errno, 0 if all is well.
int ask(mnl_socket* socket, const nlmsghdr* request, int (*parse)(const nlmsghdr*, void*),
        void* result) {
  if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0) return errno;
  alignas(nlmsghdr) std::array<char, 8192> answer;
  const ssize_t length = mnl_socket_recvfrom(socket, answer.data(), answer.size());
  if (length < 0) return errno;
  const int done = mnl_cb_run(answer.data(), static_cast<std::size_t>(length), query_sequence,
                              mnl_socket_get_portid(socket), parse, result);
  return done < 0 ? errno : 0;
}

int parse_table(const nlmsghdr* answer, void* table) {
  return nftnl_table_nlmsg_parse(answer, static_cast<nftnl_table*>(table)) < 0 ? MNL_CB_ERROR
                                                                               : MNL_CB_OK;
}

int parse_object(const nlmsghdr* answer, void* object) {
  return nftnl_obj_nlmsg_parse(answer, static_cast<nftnl_obj*>(object)) < 0 ? MNL_CB_ERROR
                                                                            : MNL_CB_OK;
}

}  // namespace

std::expected<std::uint64_t, int> query_counter(mnl_socket* socket, NftTableName table,
                                                const char* counter) {
  using Object = std::unique_ptr<nftnl_obj, ObjectDeleter>;
  const Object object(nftnl_obj_alloc());
  // The answer needs one of its own: libnftnl 1.2 does not free the names that it overwrites.
  const Object found(nftnl_obj_alloc());
  if (!object || !found) return std::unexpected(ENOMEM);
  nftnl_obj_set_str(object.get(), NFTNL_OBJ_TABLE, table.table);
  nftnl_obj_set_str(object.get(), NFTNL_OBJ_NAME, counter);
  nftnl_obj_set_u32(object.get(), NFTNL_OBJ_TYPE, NFT_OBJECT_COUNTER);
  std::array<char, 1024> request;
  nlmsghdr* const message =
      nftnl_nlmsg_build_hdr(request.data(), NFT_MSG_GETOBJ, table.family, 0, query_sequence);
  nftnl_obj_nlmsg_build_payload(message, object.get());
  if (const int error = ask(socket, message, parse_object, found.get()); error != 0)
    return std::unexpected(error);
  return nftnl_obj_get_u64(found.get(), NFTNL_OBJ_CTR_PKTS);
}

std::expected<std::uint32_t, int> query_owner(mnl_socket* socket, NftTableName table) {
  const std::unique_ptr<nftnl_table, TableDeleter> found(nftnl_table_alloc());
  if (!found) return std::unexpected(ENOMEM);
  nftnl_table_set_str(found.get(), NFTNL_TABLE_NAME, table.table);
  std::array<char, 1024> request;
  nlmsghdr* const message =
      nftnl_nlmsg_build_hdr(request.data(), NFT_MSG_GETTABLE, table.family, 0, query_sequence);
  nftnl_table_nlmsg_build_payload(message, found.get());
  if (const int error = ask(socket, message, parse_table, found.get()); error != 0)
    return std::unexpected(error);
  if (!nftnl_table_is_set(found.get(), NFTNL_TABLE_OWNER)) return 0;
  return nftnl_table_get_u32(found.get(), NFTNL_TABLE_OWNER);
}

}  // namespace synward::io
