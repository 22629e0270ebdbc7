package busurl

import (
	"cmp"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// parseSentinel reads [user:password@]host:port,host:port/db/master, of which net/url refuses the hosts.
// User and password are those of the Redis servers, as with python-socketio.
func parseSentinel(rest, channel string) (*redis.FailoverOptions, error) {
	bad := errors.New("busurl: a redis+sentinel URL is redis+sentinel://user:password@host:port,host:port/db/master")
	opts := &redis.FailoverOptions{}
	authority, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		user, password, _ := strings.Cut(authority[:at], ":")
		var err1, err2 error
		opts.Username, err1 = url.PathUnescape(user)
		opts.Password, err2 = url.PathUnescape(password)
		if err1 != nil || err2 != nil {
			return nil, bad
		}
		authority = authority[at+1:]
	}
	for host := range strings.SplitSeq(authority, ",") {
		if host == "" {
			return nil, bad
		}
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), "26379")
		}
		opts.SentinelAddrs = append(opts.SentinelAddrs, host)
	}
	db, master, _ := strings.Cut(strings.TrimSuffix(path, "/"), "/")
	if db != "" {
		n, err := strconv.Atoi(db)
		if err != nil {
			return nil, bad
		}
		opts.DB = n
	}
	opts.MasterName = cmp.Or(master, channel, "socketio")
	return opts, nil
}
