package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/cookie-charter/cookie_charter/internal/fetch"
)

// maxMessage is how long one message of the browser may be, in bytes: it tells all
// cookies in one.
const maxMessage = 64 << 20

// devtools are a browser's end of the Chrome DevTools Protocol, over two pipes. A client
// library would be a part of every Caddy with this module, for this one command.
type devtools struct {
	input   io.WriteCloser
	replies chan reply
	handle  func(event) error // of what the browser tells unasked
	last    int               // message
}

// A reply is a message of the browser: an answer to a call, or an event.
type reply struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
	event
}

type event struct {
	Method    string          `json:"method"`
	Params    json.RawMessage `json:"params"`
	SessionID string          `json:"sessionId"`
}

var errEnded = errors.New("the browser has ended")

// listen reads messages, each of which ends with a zero byte. One that is too long
// is taken for none: who waits for it waits in vain, and says so.
func (d *devtools) listen(output io.ReadCloser) {
	defer close(d.replies)
	defer output.Close()
	messages := bufio.NewReaderSize(output, 64<<10)
	var message []byte
	isTooLong := false
	for {
		part, err := messages.ReadSlice(0)
		if isTooLong = isTooLong || len(message)+len(part) > maxMessage; !isTooLong {
			message = append(message, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return
		}
		var received reply
		if !isTooLong && json.Unmarshal(message[:len(message)-1], &received) == nil {
			d.replies <- received
		}
		message, isTooLong = nil, false
	}
}

// receive waits for a message; events are handled at once.
func (d *devtools) receive(ctx context.Context) (reply, error) {
	select {
	case received, ok := <-d.replies:
		if !ok {
			return reply{}, errEnded
		}
		if received.Method == "" {
			return received, nil
		}
		return received, d.handle(received.event)
	case <-ctx.Done():
		return reply{}, ctx.Err()
	}
}

// call calls a method and waits for its answer.
func (d *devtools) call(ctx context.Context, session, method string, parameters map[string]any, result any) error {
	ctx, cancel := context.WithTimeout(ctx, fetch.RequestTimeout)
	defer cancel()
	if err := d.send(session, method, parameters); err != nil {
		return err
	}
	for number := d.last; ; {
		received, err := d.receive(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", method, err)
		case received.ID != number:
		case received.Error != nil:
			return fmt.Errorf("%s: %s", method, received.Error.Message)
		case result != nil:
			return json.Unmarshal(received.Result, result)
		default:
			return nil
		}
	}
}

// send calls a method and does not wait.
func (d *devtools) send(session, method string, parameters map[string]any) error {
	d.last++
	message := map[string]any{"id": d.last, "method": method, "params": parameters}
	if parameters == nil {
		delete(message, "params")
	}
	if session != "" {
		message["sessionId"] = session
	}
	encoded, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if _, err := d.input.Write(append(encoded, 0)); err != nil {
		return errEnded
	}
	return nil
}
