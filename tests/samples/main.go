// Runs `verify.go`, which the page has, on cases.
package main

import (
	"encoding/json"
	"net/http"
	"os"
	"time"
)

type oneCase struct {
	Secret  string            `json:"secret"`
	Headers map[string]string `json:"headers"`
	Body    []byte            `json:"body_base64"`
	Now     int64             `json:"now"`
}

func main() {
	var cases []oneCase
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		panic(err)
	}
	said := []bool{}
	for _, one := range cases {
		header := http.Header{}
		for name, value := range one.Headers {
			header.Set(name, value)
		}
		said = append(said, Verify(one.Secret, header, one.Body, time.Unix(one.Now, 0)))
	}
	if err := json.NewEncoder(os.Stdout).Encode(said); err != nil {
		panic(err)
	}
}
