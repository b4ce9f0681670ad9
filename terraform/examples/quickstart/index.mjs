// Every line that is written here goes to the primary, and to the archive while the primary is down.
export async function handler(event) {
  console.log(JSON.stringify({ message: "hello", event }));
  return { statusCode: 200, body: "hello" };
}
