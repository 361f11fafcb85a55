// Network namespaces, a bridge and pairs of virtual Ethernet devices, made by rtnetlink. All of it goes with the OS
// processes that are in it.
#pragma once

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace network {

// The largest payload of a frame: as large as most bridges allow.
constexpr uint32_t MTU = 9000;
constexpr char BRIDGE[] = "bridge";
// Of the end of a pair that a domain has.
constexpr char DEVICE[] = "eth0";

// Into a network namespace of its own; who is not root becomes that in a user namespace of its own. False, with errno, where
// that is not allowed.
inline bool leave() {
  return unshare(CLONE_NEWNET) == 0 || (errno == EPERM && unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0);
}

// A request to make a device.
class NewLink {
 public:
  explicit NewLink(const char* name) {
    header_.nlmsg_len = NLMSG_LENGTH(sizeof(ifinfomsg));
    header_.nlmsg_type = RTM_NEWLINK;
    header_.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    ifinfomsg info{};
    info.ifi_flags = IFF_UP;
    info.ifi_change = IFF_UP;
    std::memcpy(NLMSG_DATA(&header_), &info, sizeof(info));
    add(IFLA_IFNAME, name, std::strlen(name) + 1);
    add(IFLA_MTU, MTU);
  }

  void add(uint16_t type, const void* data, size_t size) {
    auto* attribute = reinterpret_cast<rtattr*>(end());
    attribute->rta_type = type;
    attribute->rta_len = static_cast<uint16_t>(RTA_LENGTH(size));
    if (size > 0) std::memcpy(RTA_DATA(attribute), data, size);
    grow(RTA_SPACE(size));
  }

  void add(uint16_t type, uint32_t value) { add(type, &value, sizeof(value)); }

  // Attributes that are added until it is closed are parts of this one.
  rtattr* open(uint16_t type) {
    auto* nest = reinterpret_cast<rtattr*>(end());
    add(type, nullptr, 0);
    return nest;
  }

  void close(rtattr* nest) { nest->rta_len = static_cast<uint16_t>(end() - reinterpret_cast<uint8_t*>(nest)); }

  // Before the attributes of the other end of a pair, which cannot be up before it has this one.
  void addPeer() {
    const ifinfomsg info{};
    std::memcpy(end(), &info, sizeof(info));
    grow(NLMSG_ALIGN(sizeof(info)));
  }

  // False, with errno, when the kernel refuses.
  bool make() {
    const int socket = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (socket < 0) return false;
    struct {
      nlmsghdr header;
      nlmsgerr error;
      uint8_t rest[sizeof(buffer_)];
    } answer;
    const bool isAnswered =
        send(socket, buffer_, header_.nlmsg_len, 0) > 0 && recv(socket, &answer, sizeof(answer), 0) > 0;
    if (isAnswered) errno = -answer.error.error;
    ::close(socket);
    return isAnswered && errno == 0;
  }

 private:
  uint8_t* end() { return buffer_ + NLMSG_ALIGN(header_.nlmsg_len); }
  void grow(size_t size) { header_.nlmsg_len = NLMSG_ALIGN(header_.nlmsg_len) + static_cast<uint32_t>(size); }

  union {
    nlmsghdr header_;
    uint8_t buffer_[1024] = {};
  };
};

inline bool makeBridge() {
  NewLink link(BRIDGE);
  rtattr* info = link.open(IFLA_LINKINFO);
  link.add(IFLA_INFO_KIND, "bridge", 6);
  link.close(info);
  return link.make();
}

// One end is a port of the bridge, the other the device of the domain that this OS process is in; it is still down.
inline bool makePair(const char* port, pid_t domain, const uint8_t (&address)[6]) {
  NewLink link(port);
  link.add(IFLA_MASTER, if_nametoindex(BRIDGE));
  rtattr* info = link.open(IFLA_LINKINFO);
  link.add(IFLA_INFO_KIND, "veth", 4);
  rtattr* data = link.open(IFLA_INFO_DATA);
  rtattr* peer = link.open(VETH_INFO_PEER);
  link.addPeer();
  link.add(IFLA_IFNAME, DEVICE, sizeof(DEVICE));
  link.add(IFLA_MTU, MTU);
  link.add(IFLA_ADDRESS, address, sizeof(address));
  link.add(IFLA_NET_NS_PID, static_cast<uint32_t>(domain));
  link.close(peer);
  link.close(data);
  link.close(info);
  return link.make();
}

// Puts the device of this domain up. False, with errno, when the kernel refuses.
inline bool putUp() {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  ifreq request{};
  std::memcpy(request.ifr_name, DEVICE, sizeof(DEVICE));
  request.ifr_flags = IFF_UP;
  const bool isUp = ioctl(socket, SIOCSIFFLAGS, &request) == 0;
  ::close(socket);
  return isUp;
}

}  // namespace network
